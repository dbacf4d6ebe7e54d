// Asks the provider what has to be asked, for as long as it takes: what is asked is written down before and answered after, so a node that dies in between
// only asks again, and the provider knows the order by its id.
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "moleculer";
import { deadlineIn } from "../../mixins/deadline.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import type { PaymentProvider, Verdict } from "./payment.provider.ts";
import type { PaymentEvent } from "./payment.rules.ts";
import type { PaymentStore, ProviderRequest } from "./payment.store.ts";

export interface CollectorOptions {
	/** An answer that takes longer is none. */
	answerMs?: number;
	/** The pause before a question is asked again: doubled each time, from the first to the longest. */
	pauseMs?: { first: number; longest: number };
	/** How often it looks for what other nodes have left, or has been postponed. */
	pollMs?: number;
}

/** So many questions are out at once. */
const MAX_ASKING = 100;
/** A node that lives answers, or postpones, well within this. */
const MARGIN_MS = 5_000;
const STOP_MS = 3_000;

/** Answers `look`, which begins to ask what is due and as much as may be out at once, and what is out. `whenAnswered`: there is room again. */
export function createCollector(
	store: PaymentStore,
	provider: PaymentProvider,
	logger: Pick<Logger, "debug" | "info" | "warn">,
	whenAnswered: () => void,
	{ answerMs = 10_000, pauseMs = { first: 200, longest: 60_000 } }: CollectorOptions = {}
) {
	const asking = new Set<Promise<void>>();
	let isFailing = false;

	const record = microBatch<PaymentEvent, null>(
		async events => {
			await store.applyEvents(events);
			return events.map(() => null);
		},
		{ maxItems: MAX_ASKING, maxWaiting: MAX_ASKING, name: "Postgres" }
	);

	const answerTo = async ({ ask, orderId, amountCents }: ProviderRequest): Promise<Verdict | "refunded"> => {
		const { bound } = deadlineIn(answerMs);
		if (ask === "charge") return bound(provider.charge(orderId, amountCents), "its answer");
		await bound(provider.refund(orderId, amountCents), "its answer");
		return "refunded";
	};

	const ask = async (question: ProviderRequest) => {
		const { orderId, asked } = question;
		try {
			const happening = await answerTo(question);
			await record({ orderId, happening });
			logger.debug(`${question.ask} answered`, { order: orderId, happening });
			if (isFailing) logger.info(`payment provider ${provider.name} answers`);
			isFailing = false;
		} catch (error) {
			if (!isFailing)
				logger.warn(`payment provider ${provider.name}: ${(error as Error).message}; asking again until it answers`);
			isFailing = true;
			// If even that fails, the question is due again when its lease ends.
			await store.postpone(orderId, Math.min(pauseMs.first * 2 ** asked, pauseMs.longest)).catch(() => {});
		}
	};

	const begin = (question: ProviderRequest) => {
		const asked = ask(question).finally(() => {
			asking.delete(asked);
			whenAnswered();
		});
		asking.add(asked);
	};

	return {
		async look() {
			const free = MAX_ASKING - asking.size;
			if (free > 0) for (const question of await store.claimDue(free, answerMs + MARGIN_MS)) begin(question);
		},
		out: () => Promise.all(asking)
	};
}

/** Goes on asking. `wake`: there is something new; `stop` waits a moment for what is out, and leaves the rest to whoever asks next. */
export function startCollector(
	store: PaymentStore,
	provider: PaymentProvider,
	logger: Pick<Logger, "debug" | "info" | "warn">,
	options: CollectorOptions = {}
) {
	const { pollMs = 1_000 } = options;
	let stopping = false;
	let woken = false;
	let rouse = () => {};

	const wake = () => {
		woken = true;
		rouse();
	};
	const { look, out } = createCollector(store, provider, logger, wake, options);

	const sleep = () =>
		new Promise<void>(resolve => {
			const timer = setTimeout(resolve, pollMs);
			rouse = () => {
				clearTimeout(timer);
				resolve();
			};
		});

	const run = async () => {
		while (!stopping) {
			woken = false;
			// While the store is away there is nothing to ask; health says so.
			await look().catch(() => {});
			if (!woken && !stopping) await sleep();
		}
	};

	const running = run();
	return {
		wake,
		async stop() {
			stopping = true;
			rouse();
			await running;
			await Promise.race([out(), delay(STOP_MS, undefined, { ref: false })]);
		}
	};
}
