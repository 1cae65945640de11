/** Shows a message in place of a part that fails to render, so that the rest of the page still works. */
import { Component, type ComponentChildren } from "preact";
import { Alert } from "./alert";
import { messageOf } from "./format";

interface Props {
  /** What the part shows, for a person. */
  name: string;
  /** What else a person can do when it cannot be shown. */
  instead?: ComponentChildren;
  children: ComponentChildren;
}

export class Boundary extends Component<Props, { error?: unknown }> {
  override state: { error?: unknown } = {};

  static override getDerivedStateFromError(error: unknown) {
    return { error };
  }

  /** Other data may render well. */
  override componentDidUpdate(before: Props): void {
    if (this.state.error !== undefined && before.children !== this.props.children) this.#tryAgain();
  }

  override render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return (
      <div class="stack">
        <Alert message={`${this.props.name} cannot be shown: ${messageOf(error)}`} testId="cannot-be-shown" />
        <div class="row">
          <button type="button" data-testid="show-again" onClick={this.#tryAgain}>
            Try again
          </button>
          {this.props.instead}
        </div>
      </div>
    );
  }

  readonly #tryAgain = (): void => this.setState({ error: undefined });
}
