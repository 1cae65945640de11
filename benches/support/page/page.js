/**
 * The page of `npm run bench`: one worker for each plan, because a WebAssembly instance opens the graphics card once.
 */

/** @typedef {import("./worker.js").Job} Job */
/** @typedef {import("./worker.js").Timing} Timing */

/** @param {Job} job @returns {Promise<Timing>} */
function timed(job) {
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  const answer = new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => (data.error === undefined ? resolve(data.timing) : reject(data.error));
    worker.onerror = (event) => reject(new Error(event.message));
  });
  worker.postMessage(job);
  return answer.finally(() => worker.terminate());
}

/**
 * Set for the script that opened this page, which knows it by this name on every page.
 * @param {string} _name there is one job here
 * @param {{ device: Job["device"], shape: Job["shape"], plans: Job["plan"][] }} argument
 */
/** @type {any} */ (globalThis).webtuneRun = async (
  /** @type {string} */ _name,
  /** @type {{ device: Job["device"], shape: Job["shape"], plans: Job["plan"][] }} */ { device, shape, plans },
) => {
  try {
    const value = [];
    for (const plan of plans) {
      await /** @type {any} */ (globalThis).webtuneReport(plan.matmul);
      value.push(await timed({ device, shape, plan }));
    }
    return { value };
  } catch (error) {
    const { code, message } = /** @type {{ code?: string, message: string }} */ (error);
    return { error: { code, message } };
  }
};
