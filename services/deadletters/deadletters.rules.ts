// How a dead letter is printed, and which letters are replayed. No I/O.
import { redact, withoutSecrets } from "../../runtime/redact.ts";
import type { Letter } from "./deadletters.contract.ts";

const MAX_CHARACTERS = 1_000;
const REDACTED_LEVELS = 32;

/** Makes any text safe to print: secrets redacted, control characters escaped, truncated. */
export function printable(text: string): string {
	// Redact before truncating: a truncated token would not be recognised.
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

/** Why a letter is not replayed, as text for the operator. */
export const KEPT_BECAUSE: Record<Exclude<Verdict, "replay">, string> = {
	replayed: "replayed before",
	again: "replayed before and dead-lettered again; they will fail again unless the cause is fixed: --again replays them",
	unreadable:
		"unreadable for the service, so they will fail again unless a newer version can read them: --unreadable replays them",
	lost: "stored without their bytes, which were too large for the dead-letter topic"
};

export interface ReplayOptions {
	again: boolean;
	unreadable: boolean;
}

/** Whether a letter is replayed, or why not. */
export function verdictOf({ type, bytes, replays }: Letter, isReplayed: boolean, { again, unreadable }: ReplayOptions): Verdict {
	if (isReplayed) return "replayed";
	if (type === "RECORD_TOO_LARGE" && bytes === 0) return "lost";
	if (type === "UNREADABLE" && !unreadable) return "unreadable";
	if (replays > 0 && !again) return "again";
	return "replay";
}
