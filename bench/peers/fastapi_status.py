"""The same status answer from FastAPI and Redis: the peer of bench/gateway."""
import os

import redis.asyncio as redis
from fastapi import FastAPI, HTTPException, Response

app = FastAPI()
store = redis.from_url(os.environ["REDIS_URL"], max_connections=100)


@app.get("/api/video/status/{task}")
async def status(task: str):
    doc = await store.get("task:" + task)
    if doc is None:
        raise HTTPException(404)
    return Response(doc, media_type="application/json")


