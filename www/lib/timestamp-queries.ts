/**
 * Lets the engine start where WebGPU has no timestamp queries, which are optional: the engine's library (CubeCL) refuses such an adapter, though it
 * times nothing unless it is asked to, which webtune never does.
 */

const FEATURE = "timestamp-query";

interface Adapter {
  readonly features?: Iterable<string> & { has(feature: string): boolean };
  requestDevice(options?: { requiredFeatures?: Iterable<string> }): Promise<unknown>;
}

/** What is needed of `navigator.gpu`. */
interface Gpu {
  requestAdapter(...options: never[]): Promise<unknown>;
}

const claimed = new WeakSet<Gpu>();

/** From here on adapters of `gpu` that have no timestamp queries say that they do, and are never asked for them. */
export function claimTimestampQueries(gpu: Gpu): void {
  if (claimed.has(gpu)) return;
  claimed.add(gpu);
  const request = gpu.requestAdapter.bind(gpu);
  gpu.requestAdapter = async (...options) => {
    const adapter = (await request(...options)) as Adapter | null;
    if (adapter?.features && !adapter.features.has(FEATURE)) claim(adapter, [...adapter.features, FEATURE]);
    return adapter;
  };
}

function claim(adapter: Adapter, features: string[]): void {
  const request = adapter.requestDevice.bind(adapter);
  Object.defineProperty(adapter, "features", { value: new Set(features) });
  adapter.requestDevice = (options = {}) => {
    const required = [...(options.requiredFeatures ?? [])];
    return request({ ...options, requiredFeatures: required.filter((feature) => feature !== FEATURE) });
  };
}
