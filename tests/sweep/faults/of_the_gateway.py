"""The gateway is killed or stopped, at any moment."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

from tests.integration.processes import until
from tests.sweep.faults.fault import GATEWAY_KILLED, GATEWAY_STOPPED, SOON, Fault
from tests.sweep.faults.of_kafka import hung
from tests.sweep.gateway import timed
from tests.sweep.oracle import Rules
from tests.sweep.stage import Stage


@dataclass(frozen=True, kw_only=True)
class GatewayKilled(Fault):
    """Its worker, and every fifth time its master, at random moments; perhaps without Kafka."""

    rules: Rules = GATEWAY_KILLED
    times: int = 50
    away: bool = False
    longest: float = 1.5

    def play(self, stage: Stage) -> None:
        stage.begin()
        with stage.load.on():
            stage.post_for(self.calm)
            if self.away:
                stage.broker.stop()
            for number in range(self.times):
                stage.a_moment(0.0, self.longest)
                self._kill(stage, master=number % 5 == 4)
            stage.broker.start()
            stage.post_for(self.calm)
        stage.notes.append(f"killed {self.times} times")

    def _kill(self, stage: Stage, *, master: bool) -> None:
        if master:
            stage.gateway.kill_master(stage.random.uniform(0.0, self.longest))
            stage.gateway.start()
        else:
            stage.gateway.kill_worker()


@dataclass(frozen=True, kw_only=True)
class DrainKilled(Fault):
    """While it sends what it spooled: several backlogs, each killed more than once."""

    rules: Rules = GATEWAY_KILLED
    rounds: int = 3
    kills: int = 2
    seconds: float = 3.0

    def play(self, stage: Stage) -> None:
        stage.begin()
        left: list[int] = []
        for _ in range(self.rounds):
            stage.broker.stop()
            with stage.load.on():
                stage.post_for(self.seconds)
                left += self._kill_while_draining(stage)
            until(stage.gateway.drained, SOON, "the rest to drain")
        stage.expect(len(left) >= self.rounds, "it is killed while events are still to be sent")
        stage.notes.append(f"killed with {', '.join(map(str, left))} events still to be sent")

    def _kill_while_draining(self, stage: Stage) -> list[int]:
        """Let Kafka come back, and kill the gateway when it has sent some; how many it left each time."""
        left: list[int] = []
        stage.broker.launch()  # and not wait: the gateway may be quicker to notice
        for _ in range(self.kills):
            stage.gateway.wait_until_sent(stage.random.uniform(0.1, 0.7), SOON)
            stage.gateway.kill()
            left += [rows] if (rows := len(stage.spooled())) else []
            stage.gateway.start()
        stage.broker.await_answer()
        return left


@dataclass(frozen=True, kw_only=True)
class GatewayStopped(Fault):
    """SIGTERM with requests under way, and a start; perhaps while the broker hangs."""

    rules: Rules = GATEWAY_STOPPED
    times: int = 4
    hung: bool = False

    def play(self, stage: Stage) -> None:
        stage.begin()
        with stage.load.on():
            for _ in range(self.times):
                stage.post_for(self.calm)
                with hung(stage.broker) if self.hung else nullcontext():
                    stage.a_moment(0.0, 1.0)
                    code, seconds = timed(stage.gateway)
                    stage.gateway.start()
                stage.expect(code == 0, f"exit code 0 after SIGTERM, not {code}")
                stage.notes.append(f"stopped in {seconds:.1f} s")
            stage.post_for(self.calm)
