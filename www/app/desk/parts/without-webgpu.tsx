/** What a page says that is served while the WebGPU engine is still being built. */
export function WithoutWebgpu() {
  if (import.meta.env.MODE !== "without-webgpu") return null;
  return (
    <p class="note note-warn" data-testid="without-webgpu">
      The WebGPU engine is still being built. The CPU engine works already; reload this page in some minutes for WebGPU.
    </p>
  );
}
