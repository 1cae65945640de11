/** A worker with both engines. */

// Static, because bundlers refuse dynamic imports in workers under their default settings.
import * as glue from "../wasm/webgpu/webtune.js";
import { serve } from "./serve.js";

serve(glue);
