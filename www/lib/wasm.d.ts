/**
 * A type for the generated WebAssembly glue, so that type checks pass before it is built.
 */
declare module "*/webtune.js" {
  const init: (options?: { module_or_path: unknown }) => Promise<unknown>;
  export default init;
}
