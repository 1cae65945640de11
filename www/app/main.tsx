/** Mounts the page in the empty document. */
import "./ui/base.css";
import "./ui/controls.css";
import "./ui/drawer.css";
import "./ui/messages.css";
import "./ui/table.css";
import { render } from "preact";
import { startWorkersWith } from "webtune";
import { App } from "./app";
import { startConfined } from "./confined/start-worker";

// If not, a file dropped next to a drop zone would replace the page.
for (const type of ["dragover", "drop"]) window.addEventListener(type, (event) => event.preventDefault());

startWorkersWith(startConfined);

const root = document.getElementById("app");
if (!root) throw new Error("index.html: expected an element with id app, found none");
render(<App />, root);
