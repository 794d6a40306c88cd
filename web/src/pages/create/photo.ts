// Pictures before they are sent: what they show, and their cut-out for the
// preview. Everything the service makes for a preview is erased again at once.
import { useEffect, useRef, useState } from "react";
import { ApiError, call, getJSON } from "../../api/client";
import type { Accepted, Analysis, Task } from "../../api/types";
import { terminal } from "../../task/fold";

const maxBytes = 9_500_000;
const maxSide = 4096;

// fit shrinks a picture that is larger than the service takes. Cameras of phones
// make such pictures; nobody should have to know.
export async function fit(file: File): Promise<File> {
  if (file.size <= maxBytes) return file;
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, maxSide / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  return blob ? new File([blob], file.name.replace(/\.\w+$/, ".jpg"), { type: "image/jpeg" }) : file;
}

export function useObjectURL(file: Blob | null): string {
  const [url, setURL] = useState("");
  useEffect(() => {
    if (!file) return setURL("");
    const u = URL.createObjectURL(file);
    setURL(u);
    return () => URL.revokeObjectURL(u);
  }, [file]);
  return url;
}

export interface Look { state: "none" | "busy" | "done" | "failed"; analysis?: Analysis; error?: unknown }

export function useAnalysis(photo: File | null, face: number): Look {
  const [look, setLook] = useState<Look>({ state: "none" });
  const last = useRef<File | null>(null);
  useEffect(() => {
    if (!photo) return setLook({ state: "none" });
    const abort = new AbortController();
    // A tap on another face keeps what is known until the answer is here.
    setLook((l) => ({ state: "busy", analysis: last.current === photo ? l.analysis : undefined }));
    last.current = photo;
    const form = new FormData();
    form.set("image", photo);
    if (face) form.set("face", String(face));
    call("/api/image/analyze", { form, signal: abort.signal })
      .then((r) => r.json())
      .then((analysis: Analysis) => setLook({ state: "done", analysis }))
      .catch((error: unknown) => {
        if (abort.signal.aborted) return;
        setLook(error instanceof ApiError && error.missing ? { state: "none" } : { state: "failed", error });
      });
    return () => abort.abort();
  }, [photo, face]);
  return look;
}

export interface Cut { state: "none" | "busy" | "done" | "failed"; url?: string; reason?: string }

// run sends a form, waits for its task, gives an artefact, and erases the task.
export async function runOnce(path: string, form: FormData, pick: (t: Task) => string | undefined, signal: AbortSignal): Promise<{ task: Task; blob?: Blob }> {
  const accepted = (await (await call(path, { form, signal })).json()) as Accepted;
  const id = accepted.task_id;
  try {
    let task: Task;
    do task = await getJSON<Task>(`/api/video/status/${id}?wait=20`, signal);
    while (!terminal(task));
    const url = pick(task);
    const blob = url ? await (await call(url, { signal })).blob() : undefined;
    return { task, blob };
  } finally {
    call(`/api/tasks/${id}`, { method: "DELETE" }).catch(() => {
      // it then ends with its retention time
    });
  }
}

export function useCutout(photo: File | null, face: number, aspect: string, wanted: boolean): Cut {
  const [cut, setCut] = useState<Cut>({ state: "none" });
  useEffect(() => {
    if (!photo || !wanted) return setCut({ state: "none" });
    const abort = new AbortController();
    let url = "";
    setCut({ state: "busy" });
    const timer = setTimeout(async () => {
      const form = new FormData();
      form.set("image", photo);
      form.set("background", "transparent");
      form.set("aspect", aspect);
      if (face) form.set("face", String(face));
      try {
        const { task, blob } = await runOnce("/api/image/process", form, (t) => {
          const all = t.stages.flatMap((s) => s.artifacts ?? []);
          return all.find((a) => a.name === "cutout")?.url;
        }, abort.signal);
        if (abort.signal.aborted) return;
        const stage = task.stages.find((s) => s.name === "image");
        if (!blob) return setCut({ state: "failed", reason: stage?.fallback_from?.at(-1)?.reason ?? task.error?.detail });
        url = URL.createObjectURL(blob);
        setCut({ state: "done", url });
      } catch (e) {
        if (!abort.signal.aborted) setCut(e instanceof ApiError && e.missing ? { state: "none" } : { state: "failed" });
      }
    }, 150);
    return () => {
      abort.abort();
      clearTimeout(timer);
      if (url) URL.revokeObjectURL(url);
    };
  }, [photo, face, aspect, wanted]);
  return cut;
}
