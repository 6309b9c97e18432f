"""Publish the numbers of a score board, left and right, to an MQTT broker when they change (needs edge-mnist[mqtt]).

python examples/scoreboard_mqtt.py --camera auto --broker localhost
"""

import argparse
import json

import paho.mqtt.client as mqtt

import edge_mnist as em


class ScoreBoard(em.Sink):
    """A sink of the live loop, which tracks digits over frames and announces only stable ones."""

    def __init__(self, publish) -> None:
        self.name, self.backlog, self.publish = "score board", "all", publish

    def take(self, event: object) -> None:
        """Split the digits at the middle of the frame, and publish if both sides show a number."""
        if isinstance(event, em.Sighting) and event.is_new:
            middle, sides = event.frame_size[0] / 2, ["", ""]
            for track in sorted(event.tracks, key=lambda track: track.digit.box.x):
                sides[track.digit.box.x > middle] += str(track.digit.digit) if track.stable else ""
            if all(sides):
                self.publish(json.dumps({"home": int(sides[0]), "guests": int(sides[1])}))


parser = argparse.ArgumentParser(description=__doc__)
for name, default in (("--camera", "auto"), ("--broker", "localhost"), ("--port", "1883"), ("--fps", "30")):
    parser.add_argument(name, default=default)
options = parser.parse_args()
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
client.connect(options.broker, int(options.port))
client.loop_start()
board = ScoreBoard(lambda score: client.publish("hall/score", score, qos=1, retain=True).wait_for_publish(5))
camera = em.CameraOptions(fps=float(options.fps))
em.LiveLoop(lambda: em.open_camera(options.camera, camera), options.camera, em.Reader(), [board]).run()
