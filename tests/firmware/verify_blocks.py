# Prints the robot's verdict on each container: rule, word, value and limit, or the certificate.
# Standard input: a JSON list [limits, manifest hash], then one container a line, in hexadecimal digits.
import json
import sys
from binascii import unhexlify

sys.path.insert(0, "firmware")

from llmvm.verify import Verifier

verifier = Verifier(*json.loads(sys.stdin.readline()))
for line in sys.stdin:
    if verifier.check(memoryview(unhexlify(line.strip()))):
        print(json.dumps([verifier.rule, verifier.word, verifier.value, verifier.limit]))
    else:
        print(json.dumps([0] + list(verifier.certificate)))
