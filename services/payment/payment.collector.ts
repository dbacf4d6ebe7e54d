// Sends open requests to the payment provider until each is answered. A request is stored before it is sent, and its answer after it is received: a node
// that crashes in between only sends it again, and the provider knows the order by its id.
import type { Logger } from "moleculer";
import { type BackoffOptions, backoffMs } from "../../mixins/backoff.ts";
import { deadlineIn, waitAtMost } from "../../mixins/deadline.ts";
import { microBatch } from "../../mixins/micro-batch.ts";
import type { PaymentProvider, Verdict } from "./payment.provider.ts";
import type { PaymentEvent, StoredPayment } from "./payment.rules.ts";
import type { PaymentStore, ProviderRequest } from "./payment.store.ts";

export interface CollectorOptions {
	/** The provider's time to answer; after it the request has failed. */
	timeoutMs?: number;
	/** The pause before a failed request is repeated. */
	backoff?: BackoffOptions;
	/** How often it polls for requests that a crashed node left, or that another node opened. */
	pollMs?: number;
}

/** The most concurrent requests. */
const MAX_REQUESTS = 100;
/** The lease of a request outlasts the provider's timeout by this, so that a live node answers or postpones it in time. */
const LEASE_MARGIN_MS = 5_000;
const STOP_MS = 3_000;
const RETRY_MS = 1_000;

/** `poll` sends the requests that are due, as many as may be in flight. `onDue`: more may be due now. */
export function createCollector(
	store: PaymentStore,
	provider: PaymentProvider,
	logger: Pick<Logger, "debug" | "info" | "warn">,
	onDue: () => void,
	{ timeoutMs = 10_000, backoff = { firstMs: 200, longestMs: 60_000 } }: CollectorOptions = {}
) {
	const inFlight = new Set<Promise<void>>();
	let isFailing = false;
	/** The newest poll got as many requests as it asked for. */
	let mayHaveMore = false;

	const record = microBatch<{ event: PaymentEvent; payment: StoredPayment }, null>(
		async answers => {
			const events = answers.map(({ event }) => event);
			const { opensRequests } = await store.applyEvents(
				events,
				answers.map(({ payment }) => payment)
			);
			if (opensRequests) onDue();
			return events.map(() => null);
		},
		{ maxItems: MAX_REQUESTS, maxWaiting: MAX_REQUESTS, name: "Postgres" }
	);

	const callProvider = async ({ kind, orderId, amountCents }: ProviderRequest): Promise<Verdict | "refunded"> => {
		const { bound } = deadlineIn(timeoutMs);
		if (kind === "charge") return bound(provider.charge(orderId, amountCents), "the payment provider");
		await bound(provider.refund(orderId, amountCents), "the payment provider");
		return "refunded";
	};

	const send = async (request: ProviderRequest) => {
		const { kind, orderId, attempts, payment } = request;
		try {
			const type = await callProvider(request);
			await record({ event: { orderId, type }, payment });
			logger.debug(`${kind} answered`, { order: orderId, result: type });
			if (isFailing) logger.info(`payment provider ${provider.name} answers again`);
			isFailing = false;
		} catch (error) {
			if (!isFailing)
				logger.warn(`payment provider ${provider.name} failed: ${(error as Error).message}; retrying until it answers`);
			isFailing = true;
			// If this fails too, the request is due again when its lease expires.
			const pauseMs = backoffMs(attempts, backoff);
			await store.postpone(orderId, pauseMs).catch(() => {});
			setTimeout(onDue, pauseMs).unref();
		}
	};

	const start = (request: ProviderRequest) => {
		const sending = send(request).finally(() => {
			inFlight.delete(sending);
			if (mayHaveMore) onDue();
		});
		inFlight.add(sending);
	};

	return {
		async poll() {
			const free = MAX_REQUESTS - inFlight.size;
			const due = free > 0 ? await store.claimDue(free, timeoutMs + LEASE_MARGIN_MS) : [];
			mayHaveMore = due.length === free;
			for (const request of due) start(request);
		},
		allAnswered: () => Promise.all(inFlight)
	};
}

/** Polls until it is stopped. `wake` polls at once; `stop` waits briefly for requests in flight, and leaves the rest to the next node that polls. */
export function startCollector(
	store: PaymentStore,
	provider: PaymentProvider,
	logger: Pick<Logger, "debug" | "info" | "warn">,
	options: CollectorOptions = {}
) {
	const { pollMs = 5_000 } = options;
	let isStopping = false;
	let isWoken = false;
	let endSleep = () => {};

	const wake = () => {
		isWoken = true;
		endSleep();
	};
	const { poll, allAnswered } = createCollector(store, provider, logger, wake, options);

	const sleep = (ms: number) =>
		new Promise<void>(resolve => {
			const timer = setTimeout(resolve, ms);
			endSleep = () => {
				clearTimeout(timer);
				resolve();
			};
		});

	const run = async () => {
		while (!isStopping) {
			isWoken = false;
			// After a failure Postgres is unavailable, and the health check reports that.
			const pauseMs = await poll().then(
				() => pollMs,
				() => Math.min(pollMs, RETRY_MS)
			);
			if (!isWoken && !isStopping) await sleep(pauseMs);
		}
	};

	const running = run();
	return {
		wake,
		async stop() {
			isStopping = true;
			endSleep();
			await running;
			await waitAtMost(allAnswered(), STOP_MS);
		}
	};
}
