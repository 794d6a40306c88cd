"""The same status answer from FastAPI and Redis: the peers of bench/gateway."""
import os
import zlib

import jwt
import redis.asyncio as redis
from fastapi import Depends, FastAPI, Header, HTTPException, Response

app = FastAPI()
store = redis.from_url(os.environ["REDIS_URL"], max_connections=100)
secret = os.environ["JWT_SECRET_KEY"]


@app.get("/api/video/status/{task}")
async def status(task: str):
    doc = await store.get("task:" + task)
    if doc is None:
        raise HTTPException(404)
    return Response(doc, media_type="application/json")


async def user(authorization: str = Header()) -> str:
    try:
        return jwt.decode(authorization.removeprefix("Bearer "), secret, algorithms=["HS256"])["user_id"]
    except jwt.PyJWTError as err:
        raise HTTPException(401) from err


@app.get("/owned/api/video/status/{task}")
async def owned(task: str, user: str = Depends(user), if_none_match: str | None = Header(None)):
    doc, owner = await store.mget("task:" + task, "owner:task:" + task)
    if doc is None or owner.decode() != user:
        raise HTTPException(404)
    etag = '"%08x"' % zlib.crc32(doc)
    if if_none_match == etag:
        return Response(status_code=304)
    return Response(doc, media_type="application/json", headers={"ETag": etag, "Cache-Control": "no-cache"})
