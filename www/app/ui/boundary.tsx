/** Shows a message in place of a part that fails to render, so that the rest of the page still works. */
import { Component, type ComponentChildren } from "preact";
import { Alert } from "./alert";
import { messageOf } from "./format";

interface Props {
  /** What the part shows, for a person. */
  name: string;
  children: ComponentChildren;
}

export class Boundary extends Component<Props, { error?: unknown }> {
  override state: { error?: unknown } = {};

  static override getDerivedStateFromError(error: unknown) {
    return { error };
  }

  /** Other data may render well. */
  override componentDidUpdate(before: Props): void {
    if (this.state.error !== undefined && before.children !== this.props.children) this.setState({ error: undefined });
  }

  override render() {
    const { error } = this.state;
    if (error === undefined) return this.props.children;
    return <Alert message={`${this.props.name} cannot be shown: ${messageOf(error)}`} testId="cannot-be-shown" />;
  }
}
