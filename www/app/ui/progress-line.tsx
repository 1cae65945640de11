/** A progress bar with its text. */
import "./progress-line.css";

interface Props {
  share?: number | undefined;
  text: string;
  label: string;
  testId: string;
}

export function ProgressLine({ share, text, label, testId }: Props) {
  return (
    <div class="progress-line">
      <progress aria-label={label} data-testid={testId} {...(share === undefined ? {} : { value: share, max: 1 })} />
      <p class="muted figures" data-testid={`${testId}-text`}>
        {text}
      </p>
    </div>
  );
}
