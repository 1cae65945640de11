/** A message in place, read out when it appears. */
export function Alert({ message, testId }: { message: string | undefined; testId: string }) {
  return (
    <div role="alert" data-testid={testId} class={message ? "alert" : "alert-empty"}>
      {message}
    </div>
  );
}
