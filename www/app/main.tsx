/**
 * Enters: the empty document. Leaves: the page, mounted.
 */
import "./ui/base.css";
import "./ui/controls.css";
import "./ui/drawer.css";
import "./ui/messages.css";
import "./ui/table.css";
import { render } from "preact";
import { App } from "./app";

// A file dropped beside a drop zone would otherwise replace the page, and everything on it.
for (const type of ["dragover", "drop"]) window.addEventListener(type, (event) => event.preventDefault());

const root = document.getElementById("app");
if (!root) throw new Error("index.html: expected an element with id app, found none");
render(<App />, root);
