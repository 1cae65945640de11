/** A worker with the CPU engine alone, whose module is small. */

// Static, because bundlers refuse dynamic imports in workers under their default settings.
import * as glue from "../wasm/cpu/webtune.js";
import { serve } from "./serve.js";

serve(glue);
