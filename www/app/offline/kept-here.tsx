/** The page's last lines: whether it opens without a network, and what it keeps in this browser without being asked. */
import type { OfflineState } from "./offline";
import "./kept-here.css";

const words: Record<OfflineState["status"], string> = {
  absent: "",
  storing: "Storing this page for use without a network…",
  ready: "This page is stored in this browser and opens without a network.",
  failed: "This page is not stored for use without a network",
};

export function KeptHere({ offline: { status, reason } }: { offline: OfflineState }) {
  return (
    <footer class="kept-here">
      <p class="status" data-testid="offline" data-status={status}>
        {words[status]}
        {reason === undefined ? "" : ` (${reason}).`}
      </p>
      <details data-testid="kept-here">
        <summary>What is kept in this browser</summary>
        <ul>
          <li>The files of this page, so that it opens without a network.</li>
          <li>Models from the web, so that they load without one. The first step lists and removes them.</li>
          <li>
            While a run goes on: its rows, its settings and its last two states, to continue after a crash. They are
            removed when it ends.
          </li>
          <li>
            Of each finished classifier: settings, results, the name of the examples' file, the labels and what you
            wrote about them. Delete runs in the last step.
          </li>
          <li>Your examples or texts, only if you ask for it.</li>
        </ul>
        <p>
          An access token is never stored. Nothing of this is sent anywhere. A browser removes it all with the data of
          this site.
        </p>
      </details>
    </footer>
  );
}
