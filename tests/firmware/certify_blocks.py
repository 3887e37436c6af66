# Prints the robot's certificate of each container, or its refusal's rule, word, value and limit.
# Standard input: a JSON list of limits and the manifest hash, then one container in hexadecimal a line.
import json
import sys
from binascii import unhexlify

sys.path.insert(0, "firmware")

from llmvm.verify import Verifier

limits, manifest = json.loads(sys.stdin.readline())
verifier = Verifier(limits, manifest)
for line in sys.stdin:
    if verifier.check(memoryview(unhexlify(line.strip()))):
        print(json.dumps([verifier.rule, verifier.word, verifier.value, verifier.limit]))
    else:
        print(json.dumps(list(verifier.certificate)))
