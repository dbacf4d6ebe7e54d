/**
 * Log lines about events that a client can cause at any rate. The first event of a message and subject is logged at once; further ones are counted,
 * and their number is logged a minute later.
 *
 *     const events = throttledLog(this.logger);
 *     events.log("sign-in failed", { client: "9f2c41d07a3b" });
 *     // INFO sign-in failed { client: '9f2c41d07a3b' }
 *     // INFO sign-in failed, 19 more times in 60 s { client: '9f2c41d07a3b' }
 */
import type { Logger } from "moleculer";

export interface ThrottledLog {
	/** Logs or counts one event. `subject`: ids only, no personal data. */
	log(message: string, subject: Record<string, string | undefined>): void;
	/** Logs the numbers that were not logged yet. Call it when the service stops. */
	flush(): void;
}

const EVERY_MS = 60_000;
/** Events of further subjects are counted together: nothing else limits the number of subjects. */
const MAX_SUBJECTS = 1_000;
const FURTHER = { further: "subjects" };

export function throttledLog(
	logger: Pick<Logger, "info">,
	{ everyMs = EVERY_MS, maxSubjects = MAX_SUBJECTS } = {}
): ThrottledLog {
	const counts = new Map<string, { message: string; subject: object; repeats: number }>();
	let timer: NodeJS.Timeout | undefined;

	const flush = () => {
		clearTimeout(timer);
		timer = undefined;
		for (const { message, subject, repeats } of counts.values())
			if (repeats > 0) logger.info(`${message}, ${repeats} more times in ${everyMs / 1000} s`, subject);
		counts.clear();
	};

	const count = (key: string, message: string, subject: object) => {
		const known = counts.get(key);
		if (known) {
			known.repeats++;
			return;
		}
		counts.set(key, { message, subject, repeats: 0 });
		logger.info(message, subject);
		timer ??= setTimeout(flush, everyMs).unref();
	};

	return {
		log(message, subject) {
			const key = JSON.stringify([message, subject]);
			if (counts.size < maxSubjects || counts.has(key)) count(key, message, subject);
			else count(message, message, FURTHER);
		},
		flush
	};
}
