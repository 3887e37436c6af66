# The robot's program: read what the robot is, then supervise it.
import json

from llmvm import hal
from llmvm.supervisor import Supervisor


# Run the robot that robot.json describes.
def main():
    with open("robot.json") as file:
        config = json.load(file)
    Supervisor(hal.open(config), config["limits"], config["angles_mrad"]).run()


main()
