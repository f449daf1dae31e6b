// The sounds a telephone makes, drawn by the browser: no file to load, nothing to go missing.

let context = null;
let playing = null;

/** Browsers let a page make sounds only after it has been touched; then a waiting ring begins. */
for (const touch of ["pointerdown", "keydown"]) {
  addEventListener(touch, () => context?.resume(), { passive: true });
}

/** `ring(INCOMING)` until `quiet()`. */
export const INCOMING = { tones: [660, 880], on: 0.9, off: 1.6, loud: 0.12 };
/** What a caller hears in Korea: 440 and 480 Hz, one second on, two off. */
export const RINGBACK = { tones: [440, 480], on: 1, off: 2, loud: 0.05 };

export function ring(sound) {
  if (playing?.sound === sound) return;
  quiet();
  context ??= new AudioContext();
  context.resume().catch(() => {});
  const volume = new GainNode(context, { gain: 0 });
  volume.connect(context.destination);
  const voices = sound.tones.map((frequency) => {
    const voice = new OscillatorNode(context, { frequency });
    voice.connect(volume);
    voice.start();
    return voice;
  });
  const beat = () => {
    const now = context.currentTime;
    volume.gain.setTargetAtTime(sound.loud, now, 0.02);
    volume.gain.setTargetAtTime(0, now + sound.on, 0.03);
  };
  beat();
  playing = { sound, volume, voices, timer: setInterval(beat, (sound.on + sound.off) * 1000) };
}

export function quiet() {
  if (!playing) return;
  clearInterval(playing.timer);
  for (const voice of playing.voices) voice.stop();
  playing.volume.disconnect();
  playing = null;
}
