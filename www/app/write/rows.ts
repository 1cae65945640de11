/** The rows that a language model learns from: in words, as turns, and as the JSON that is read again. */
import type { Message, ParsedText, TextRow } from "webtune";

/** A part of a row, and whether it is learned. */
export interface Turn {
  who: string;
  text: string;
  learnt: boolean;
}

const spoken = (messages: Message[], learns: boolean): Turn[] =>
  messages.map(({ role, content }) => ({ who: role, text: content, learnt: learns && role === "assistant" }));

export function turnsOf(content: TextRow): Turn[] {
  if ("chat" in content) return spoken(content.chat, true);
  if ("chatCompletion" in content) {
    const { prompt, completion } = content.chatCompletion;
    return [...spoken(prompt, false), ...spoken(completion, true)];
  }
  if ("promptCompletion" in content) {
    const { prompt, completion } = content.promptCompletion;
    return [
      { who: "prompt", text: prompt, learnt: false },
      { who: "completion", text: completion, learnt: true },
    ];
  }
  return [{ who: "text", text: content.text, learnt: true }];
}

export function kindOf(content: TextRow): string {
  if ("chat" in content || "chatCompletion" in content) return "conversation";
  return "promptCompletion" in content ? "prompt" : "plain text";
}

export const isChat = ({ content }: ParsedText): boolean => "chat" in content || "chatCompletion" in content;

/** Whether it has the form of a row: it may come from another version of the page. */
export function isText(content: unknown): content is TextRow {
  const isString = (value: unknown): boolean => typeof value === "string";
  const isSpoken = (value: unknown): boolean =>
    Array.isArray(value) && value.every((one) => isString(one?.role) && isString(one?.content));
  const given = (content ?? {}) as Record<string, Partial<Record<"prompt" | "completion", unknown>>>;
  const { chat, chatCompletion, promptCompletion, text } = given;
  if (chat !== undefined) return isSpoken(chat);
  if (chatCompletion !== undefined) return isSpoken(chatCompletion?.prompt) && isSpoken(chatCompletion?.completion);
  if (promptCompletion !== undefined)
    return isString(promptCompletion?.prompt) && isString(promptCompletion?.completion);
  return isString(text);
}

/** In a form that `parseTextRows` reads. */
export function jsonOf(content: TextRow): object {
  if ("chat" in content) return { messages: content.chat };
  if ("chatCompletion" in content) return content.chatCompletion;
  if ("promptCompletion" in content) return content.promptCompletion;
  return { text: content.text };
}
