// Records the microphone as plain samples. MediaRecorder would give WebM, which
// neither every browser writes nor the service reads.

export interface Recording { samples: Float32Array; rate: number }

export interface Live { stop: () => Recording; level: () => number; seconds: () => number; cancel: () => void }

// The browser's own processing would make every voice sound the same.
const wanted: MediaTrackConstraints = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };

export async function record(maxSeconds: number, onFull: () => void): Promise<Live> {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: wanted });
  const ctx = new AudioContext();
  try {
    await ctx.audioWorklet.addModule("/recorder.js");
  } catch (e) {
    stream.getTracks().forEach((t) => t.stop());
    void ctx.close();
    throw e;
  }
  const source = ctx.createMediaStreamSource(stream);
  const node = new AudioWorkletNode(ctx, "recorder", { numberOfOutputs: 0 });
  const blocks: Float32Array[] = [];
  let length = 0;
  let level = 0;
  let done = false;
  const limit = maxSeconds * ctx.sampleRate;
  node.port.onmessage = (m: MessageEvent<Float32Array>) => {
    if (done) return;
    blocks.push(m.data);
    length += m.data.length;
    let peak = 0;
    for (const v of m.data) peak = Math.max(peak, Math.abs(v));
    level = Math.max(peak, level * 0.97); // falls slowly enough to be seen
    if (length >= limit) onFull();
  };
  source.connect(node);
  const close = () => {
    done = true;
    node.port.onmessage = null;
    source.disconnect();
    stream.getTracks().forEach((t) => t.stop());
    void ctx.close();
  };
  return {
    level: () => level,
    seconds: () => length / ctx.sampleRate,
    cancel: close,
    stop: () => {
      const rate = ctx.sampleRate;
      close();
      const samples = new Float32Array(length);
      let at = 0;
      for (const b of blocks) {
        samples.set(b, at);
        at += b.length;
      }
      return { samples, rate };
    },
  };
}

// wav is a recording as a 16-bit WAVE file.
export function wav({ samples, rate }: Recording): Blob {
  const view = new DataView(new ArrayBuffer(44 + samples.length * 2));
  const text = (at: number, s: string) => [...s].forEach((c, i) => view.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + samples.length * 2, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // mono
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, samples.length * 2, true);
  samples.forEach((v, i) => view.setInt16(44 + i * 2, Math.round(Math.max(-1, Math.min(1, v)) * 32767), true));
  return new Blob([view.buffer], { type: "audio/wav" });
}

export type Finding = "short" | "quiet" | "clipped" | "noisy" | "silent";

// check looks for what makes a sample useless for cloning. Levels are in dB below
// full scale, over frames of 20 ms.
export function check({ samples, rate }: Recording): Finding[] {
  const found: Finding[] = [];
  const frame = Math.max(1, Math.round(rate * 0.02));
  const levels: number[] = [];
  let clipped = 0;
  for (let at = 0; at + frame <= samples.length; at += frame) {
    let sum = 0;
    for (let i = at; i < at + frame; i++) {
      const v = samples[i] ?? 0;
      sum += v * v;
      if (Math.abs(v) > 0.985) clipped++;
    }
    levels.push(10 * Math.log10(sum / frame + 1e-10));
  }
  levels.sort((a, b) => a - b);
  const loud = levels[Math.floor(levels.length * 0.9)] ?? -100;
  const calm = levels[Math.floor(levels.length * 0.1)] ?? -100;
  if (samples.length < rate * 3) found.push("short");
  if (loud < -55) found.push("silent");
  else if (loud < -38) found.push("quiet");
  // Speech has gaps; where the gaps are nearly as loud, something else sounds.
  else if (loud - calm < 12) found.push("noisy");
  if (clipped > samples.length * 0.0005) found.push("clipped");
  return found;
}
