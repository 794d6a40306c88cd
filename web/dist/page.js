"use strict";
const form = document.getElementById("form");
const state = document.getElementById("state");
const stages = document.getElementById("stages");
const video = document.getElementById("video");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  video.hidden = true;
  stages.replaceChildren();
  state.textContent = "送信中…";
  const answer = await fetch("/api/video/generate", { method: "POST", body: new FormData(form) });
  const body = await answer.json();
  if (!answer.ok) {
    state.textContent = body.title + (body.detail ? " — " + body.detail : "");
    return;
  }
  follow(body.status_url, "");
});

async function follow(url, tag) {
  const headers = tag ? { "If-None-Match": tag } : {};
  const answer = await fetch(url + "?wait=20", { headers });
  if (answer.status === 200) {
    const task = await answer.json();
    show(task);
    tag = answer.headers.get("ETag");
    if (task.finished_at) return;
  } else if (answer.status !== 304) {
    state.textContent = "状態を読み込めません";
    return;
  }
  follow(url, tag || "\"0\"");
}

function show(task) {
  state.textContent = task.status + " " + Math.round(task.percent) + " %" + (task.error ? " — " + task.error.detail : "");
  stages.replaceChildren(...task.stages.map((s) => {
    const item = document.createElement("li");
    const why = (s.fallback_from || []).map((f) => f.engine + ": " + f.reason).join(", ");
    item.textContent = s.name + ": " + s.state + (s.engine ? " (" + s.engine + ")" : "") + (why ? " ← " + why : "");
    return item;
  }));
  if (task.video_url) {
    video.src = task.video_url;
    video.hidden = false;
  }
}
