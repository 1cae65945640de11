/** An error in place and, where the engine knows one, a button with an option that helps. */
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

export function ErrorRemedy({ message, remedy, testId, onTake }: Props) {
  return (
    <>
      <Alert message={message} testId={testId} />
      {message && remedy ? (
        <div class="row">
          <button type="button" data-testid={`${testId}-remedy`} onClick={onTake}>
            {words[remedy]}
          </button>
        </div>
      ) : null}
    </>
  );
}
