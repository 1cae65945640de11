#!/usr/bin/env node
/** What `npx webtune` starts. */
import { NPX } from "./around.js";
import { main } from "./commands.js";

process.exitCode = await main(process.argv.slice(2), NPX);
