// Calls to the service. Every refusal becomes an ApiError with the service's own
// words; a connection that fails becomes one with code OFFLINE.

export interface FieldError { field: string; detail: string }

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly errors: FieldError[] = [],
    readonly retryAfter = 0,
  ) {
    super(detail ? `${title}: ${detail}` : title);
  }

  // missing reports that this service does not offer what was asked for.
  get missing(): boolean {
    return this.status === 404 || this.status === 405 || this.status === 501 || this.status === 503;
  }
}

let language = "ja";

export function setApiLanguage(l: string) {
  language = l;
}

export interface Call {
  method?: string;
  json?: unknown;
  form?: FormData;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export async function call(path: string, c: Call = {}): Promise<Response> {
  const headers: Record<string, string> = { "Accept-Language": language, ...c.headers };
  let body: BodyInit | undefined = c.form;
  if (c.json !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(c.json);
  }
  let res: Response;
  try {
    res = await fetch(path, { method: c.method ?? (body ? "POST" : "GET"), headers, body, signal: c.signal });
  } catch (e) {
    if (c.signal?.aborted) throw e;
    throw new ApiError(0, "OFFLINE", "offline", "");
  }
  if (res.ok || res.status === 304) return res;
  throw await problem(res);
}

async function problem(res: Response): Promise<ApiError> {
  const wait = Number(res.headers.get("Retry-After")) || 0;
  if (res.headers.get("Content-Type")?.includes("json")) {
    try {
      const p = await res.json();
      return new ApiError(res.status, p.code ?? `HTTP_${res.status}`, p.title ?? res.statusText, p.detail ?? "", p.errors ?? [], wait);
    } catch {
      // not what it says it is; the status has to do
    }
  }
  return new ApiError(res.status, `HTTP_${res.status}`, res.statusText || `HTTP ${res.status}`, "", [], wait);
}

export async function getJSON<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await call(path, { signal, headers: { Accept: "application/json" } })).json() as Promise<T>;
}

// list reads a catalogue that is either a bare array or an object with one.
export async function list<T>(path: string, signal?: AbortSignal): Promise<T[]> {
  const v: unknown = await getJSON(path, signal);
  if (Array.isArray(v)) return v as T[];
  if (v && typeof v === "object") {
    for (const x of Object.values(v)) if (Array.isArray(x)) return x as T[];
  }
  return [];
}
