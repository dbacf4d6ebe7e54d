// What is shown of a dead letter, and which of them go back. Without I/O.
import { redact, withoutSecrets } from "../../runtime/redact.ts";
import type { Letter } from "./deadletters.contract.ts";

const MAX_CHARACTERS = 1_000;
const REDACTED_LEVELS = 32;

/** A text from anywhere, for a person's terminal: without secrets, without what would move the cursor, cut where it is long. */
export function printable(text: string): string {
	// First redacted, then cut: half a token would not look like one.
	const safe = redact(text).replace(/\p{Cc}|\p{Cf}/gu, one => `\\u${one.codePointAt(0)!.toString(16).padStart(4, "0")}`);
	return safe.length <= MAX_CHARACTERS ? safe : `${safe.slice(0, MAX_CHARACTERS).toWellFormed()}… (${safe.length} characters)`;
}

export function printableValue(value: Buffer | null): string {
	const text = String(value ?? "");
	try {
		return printable(JSON.stringify(withoutSecrets(JSON.parse(text), REDACTED_LEVELS)));
	} catch {
		return printable(text);
	}
}

export type Verdict = "replay" | "replayed" | "again" | "unreadable" | "lost";

/** Why a letter stays where it is, for people. */
export const KEPT_BECAUSE: Record<Exclude<Verdict, "replay">, string> = {
	replayed: "put back before",
	again:
		"put back before and given up again, so they would be given up once more unless the cause is mended: --again puts them back all the same",
	unreadable:
		"unreadable for the service that gave them up, so they would be given up once more unless it has learnt to read them: --unreadable puts them back all the same",
	lost: "without their bytes, which were more than the topic of dead letters takes"
};

export interface ReplayOptions {
	again: boolean;
	unreadable: boolean;
}

/** What becomes of a letter, given whether it was put back already. */
export function verdictOf({ type, bytes, replays }: Letter, isReplayed: boolean, { again, unreadable }: ReplayOptions): Verdict {
	if (isReplayed) return "replayed";
	if (type === "RECORD_TOO_LARGE" && bytes === 0) return "lost";
	if (type === "UNREADABLE" && !unreadable) return "unreadable";
	if (replays > 0 && !again) return "again";
	return "replay";
}
