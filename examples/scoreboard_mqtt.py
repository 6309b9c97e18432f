"""Publish the two numbers of a score board to an MQTT broker when they change (needs edge-mnist[mqtt]).

python examples/scoreboard_mqtt.py CAMERA BROKER PORT FPS    for example: auto localhost 1883 30
"""

import json
import sys

from paho.mqtt import publish

import edge_mnist as em

camera, broker, port, fps = sys.argv[1:]


class ScoreBoard(em.Sink):
    """A sink of the live loop, which tracks digits over frames and announces only stable ones."""

    name, backlog = "score board", "all"

    def wants_picture(self) -> bool:
        return False

    def take(self, event: object) -> None:
        if isinstance(event, em.Sighting) and event.is_new:
            middle, sides = event.frame_size[0] / 2, ["", ""]
            for track in sorted(event.tracks, key=lambda track: track.digit.box.x):
                sides[track.digit.box.x > middle] += str(track.digit.digit) if track.stable else ""
            if all(sides):
                score = json.dumps({"home": int(sides[0]), "guests": int(sides[1])})
                publish.single("hall/score", score, qos=1, retain=True, hostname=broker, port=int(port))

    def close(self) -> None:
        pass


options = em.CameraOptions(fps=float(fps))
em.LiveLoop(lambda: em.open_camera(camera, options), camera, em.Reader(), [ScoreBoard()]).run()
