"""Five chained no-op tasks on Celery and Redis, as tuned as its manual says.

Prints one line of JSON: CPU seconds per 1,000 chains of broker, workers and
client together, chains per second, and p50 and p99 of one chain when idle in
milliseconds, until the recorded status says that it is done.

usage: celery_chain.py CHAINS IDLE
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

URL = os.environ.get("CELERY_CHAIN_REDIS")
STAGES = ["image", "voice", "prosody", "bgm", "video"]

if URL:
    import redis
    from celery import Celery

    app = Celery("celery_chain", broker=URL + "/0")
    app.conf.update(
        task_acks_late=True,  # a killed worker loses nothing, as ours
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=4,
        task_ignore_result=True,  # the status is recorded once, by ourselves
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
    )
    store = redis.Redis.from_url(URL + "/1")

    @app.task
    def stage(task, i, job):
        store.hset(task, STAGES[i], json.dumps({"verb": "ready", "time": time.time()}))
        if i + 1 < len(STAGES):
            stage.delay(task, i + 1, job)
        else:
            store.hset(task, "ended", "completed")


def port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def used(pids):
    """CPU seconds of processes and the children they have waited for."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            ticks += sum(int(x) for x in f.read().rsplit(")", 1)[1].split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def family(pid):
    out = [pid]
    for t in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{t}/children") as f:
            for c in f.read().split():
                out += family(int(c))
    return out


def wait(task):
    while not store.hexists(task, "ended"):
        time.sleep(0.0005)


def client(chains, idle, pids):
    job = {"request": {"kind": "video", "owner": "bench", "language": "ja"}, "blobs": {"portrait": {"key": "inputs/x/portrait"}}}
    stage.delay("warm", 0, job)
    wait("warm")
    pids = [p for pid in pids for p in family(pid)]
    before, start = used(pids) + time.process_time(), time.time()
    for i in range(chains):
        stage.delay(f"t{i}", 0, job)
    for i in range(chains):
        while not store.hexists(f"t{i}", "ended"):
            time.sleep(0.01)
    seconds, cpu = time.time() - start, used(pids) + time.process_time() - before
    ms = []
    for i in range(idle):
        time.sleep(0.003)
        begin = time.time()
        stage.delay(f"idle{i}", 0, job)
        wait(f"idle{i}")
        ms.append((time.time() - begin) * 1000)
    ms.sort()
    print(json.dumps({"cpu": cpu * 1000 / chains, "rate": chains / seconds, "p50": ms[len(ms) // 2], "p99": ms[len(ms) * 99 // 100]}))


def main():
    if URL:
        return client(int(sys.argv[1]), int(sys.argv[2]), [int(p) for p in os.environ["CELERY_CHAIN_PIDS"].split()])
    home, p, children = tempfile.mkdtemp(), port(), []
    try:
        children.append(subprocess.Popen(
            ["redis-server", "--port", str(p), "--bind", "127.0.0.1", "--dir", home, "--appendonly", "yes", "--save", ""], stdout=subprocess.DEVNULL))
        env = dict(os.environ, CELERY_CHAIN_REDIS=f"redis://127.0.0.1:{p}")
        while socket.socket().connect_ex(("127.0.0.1", p)):
            time.sleep(0.05)
        here = os.path.dirname(os.path.abspath(__file__))
        children.append(subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_chain", "worker", "-c", "4", "-l", "ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat"],
            cwd=here, env=dict(env, PYTHONDONTWRITEBYTECODE="1", C_FORCE_ROOT="1"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        env["CELERY_CHAIN_PIDS"] = " ".join(str(c.pid) for c in children)
        subprocess.run([sys.executable, *sys.argv], env=env, check=True)
    finally:
        for c in reversed(children):
            c.send_signal(signal.SIGTERM)
            c.wait()
        shutil.rmtree(home)


if __name__ == "__main__":
    main()
