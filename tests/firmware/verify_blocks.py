# Prints the robot's verdict on each container: rule, word, value and limit, or the certificate.
# Standard input: one JSON list [limits, manifest hash, container in hexadecimal digits] a line.
import json
import sys
from binascii import unhexlify

sys.path.insert(0, "firmware")

from llmvm.verify import Verifier

robot = verifier = None
for line in sys.stdin:
    limits, manifest, data = json.loads(line)
    if limits != robot:
        robot, verifier = limits, Verifier(limits, manifest)
    if verifier.check(memoryview(unhexlify(data))):
        print(json.dumps([verifier.rule, verifier.word, verifier.value, verifier.limit]))
    else:
        print(json.dumps([0] + list(verifier.certificate)))
