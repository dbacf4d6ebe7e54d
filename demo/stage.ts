// What a simulated user acts with.
import type { Answer, Client } from "./client.ts";

export interface Stage {
	client: Client;
	signal: AbortSignal;
	/** Counts an action or a refusal. */
	count(what: string): void;
}

/** What is counted for an answer: the action, or the refusal. */
export const outcome = ({ status, json }: Answer, done: string) => (status < 300 ? done : `refused: ${json?.type ?? status}`);
