/** An error in place and, where the engine knows one, a button for the way on. */
import type { Remedy } from "webtune";
import { Alert } from "../../ui/alert";

interface Props {
  message: string | undefined;
  remedy: Remedy | undefined;
  testId: string;
  onTake: () => void;
}

const words: Record<Remedy, string> = {
  readAsWindows1252: "Read as Windows-1252",
  skipBad: "Leave out the rows that cannot be used",
};

export function WayOn({ message, remedy, testId, onTake }: Props) {
  return (
    <>
      <Alert message={message} testId={testId} />
      {message && remedy ? (
        <div class="row">
          <button type="button" data-testid={`${testId}-way-on`} onClick={onTake}>
            {words[remedy]}
          </button>
        </div>
      ) : null}
    </>
  );
}
