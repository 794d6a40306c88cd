import { useEffect, useState } from "react";
import { list } from "../../api/client";

// useCatalogue is a list of the service; empty until it is here, failed when
// there is none.
export function useCatalogue<T>(path: string): { items: T[]; failed: boolean; loading: boolean } {
  const [state, set] = useState<{ items: T[]; failed: boolean; loading: boolean }>({ items: [], failed: false, loading: true });
  useEffect(() => {
    const abort = new AbortController();
    list<T>(path, abort.signal)
      .then((items) => set({ items, failed: false, loading: false }))
      .catch(() => {
        if (!abort.signal.aborted) set({ items: [], failed: true, loading: false });
      });
    return () => abort.abort();
  }, [path]);
  return state;
}

export function nameIn(lang: string, x: { id: string; name?: string; name_ja?: string; name_en?: string }): string {
  return (lang === "ja" ? x.name_ja : x.name_en) || x.name || x.id;
}

// previewOf is where a voice, standard or cloned, speaks a sample.
export function previewOf(voice: string): string {
  return voice.startsWith("profile:") ? `/api/voice-clone/profiles/${voice.slice(8)}/preview` : `/api/voices/${encodeURIComponent(voice)}/preview`;
}
