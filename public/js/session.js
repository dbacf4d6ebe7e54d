// One person's time on this page, signed in or a guest: what they do goes out through two outboxes, what comes in over the socket moves the tally and
// the wallet.
import { formatAmount } from "./amount.js";
import { openConnection } from "./connection.js";
import { request } from "./http.js";
import { withToken } from "./identity.js";
import { createOutbox } from "./outbox.js";
import { createPurchases } from "./purchases.js";
import { FINAL, spreadMs, untilAnswered } from "./retry.js";
import { openStore } from "./store.js";

const MAX_UNSENT = 1_000;
const WATCH_RETRY_MS = 5_000;
const FULL = "Too much is waiting to be sent. Try again when the connection is back.";
/** The server closes a socket with this code when its token has ended, or was revoked. */
const TOKEN_ENDED = 4401;

const url = new URL("/ws", location.href);
url.protocol = url.protocol.replace("http", "ws");
const watch = { code: "watch", data: { selections: true } };

/**
 * @param {object} options
 * @param {import("./identity.js").Who} options.who
 * @param {object} options.view what shows it
 */
export function openSession({ who, view: { tally, wallet, announce, showProblem, showConnection, showWaiting } }) {
	const user = who.id;

	// What goes out

	const storeFor = kind => openStore(`plaza/${encodeURIComponent(user)}/${kind}/`);

	const picks = createOutbox({
		store: storeFor("picks"),
		limit: MAX_UNSENT,
		concurrency: 6,
		send: ({ id, name }) =>
			withToken(who, token => request("POST", "/api/selections/async", { body: { name, id, user_id: user }, token })),
		onSettled: ({ name }, refusal) => refusal && showProblem(`The pick of ${name} was refused: ${refusal.message}`),
		onChange: () => showWaiting(picks.isFailing() ? picks.waiting().length : 0)
	});

	const purchases = createPurchases(frame => isConnected && connection.send(frame));
	const bought = createOutbox({
		store: storeFor("purchases"),
		limit: MAX_UNSENT,
		// One by one, so that they are bought in the order in which they were asked for.
		concurrency: 1,
		send: ({ id, amount }) => withToken(who, () => purchases.send({ id, user_id: user, amount })),
		onSettled: (purchase, refusal) => {
			wallet.settle(purchase, refusal);
			announce(purchase.id, `${formatAmount(purchase.amount)} ${refusal ? `refused: ${refusal.message}` : "bought"}`);
			if (refusal?.faults.some(({ field }) => field === "amount")) wallet.showFault(refusal.message);
		},
		onChange: () => wallet.showPurchases(bought.waiting(), bought.isFailing() ? "waiting" : "sending")
	});

	// What comes in

	/** Whether this connection's `connect` has been answered. */
	let isConnected = false;
	/** The token that it was sent with. */
	let sentToken;
	let connected = new AbortController();
	const closing = new AbortController();
	/** Counts the news of the balance, asked for or not: an answer that is not the newest news any more is not shown. */
	let balanceVersion = 0;

	const frames = {
		connected: () => {
			picks.resume();
			bought.resume();
			// The answer to a new token.
			if (isConnected) return;
			isConnected = true;
			connected = new AbortController();
			showConnection("live", "live");
			const body = { user_id: user };
			void requestUntilAnswered(token => request("POST", "/api/selections/synchronization", { body, token }), connected.signal);
			void readBalance(connected.signal);
		},
		SynchronizationResults: ({ selections }) => tally.list(selections),
		Selections: selections => tally.list(selections),
		SelectionSummary: selection => {
			tally.update(selection);
			announce(selection.name, `${selection.name} ${selection.count}`);
		},
		balance: ({ balances }) => {
			balanceVersion++;
			wallet.showBalance(balances.total);
			announce("balance", `total spent ${formatAmount(balances.total)}`);
		},
		purchase: purchase => purchases.answered(purchase),
		error: error => {
			purchases.failed(error);
			if (error.id !== undefined) return;
			if (sentToken !== undefined && error.type === "UNAUTHORIZED") return reconnectWithNewToken();
			const final = FINAL.has(error.type);
			// Frames that have a code are answered in order: before `connected` it is the connect that failed, after it the watch.
			if (!isConnected && final) refused(error);
			else if (!isConnected) connection.lose();
			else if (!final) setTimeout(() => connection.send(watch), spreadMs(WATCH_RETRY_MS));
		}
	};

	/** The server will not have this user. The page still shows everybody's counts, and each thing that is tried gets its own refusal. */
	function refused({ message }) {
		isConnected = true;
		showConnection("refused", "refused");
		showProblem(`${who.name} may not connect: ${message}`);
		bought.resume();
	}

	/** The token was refused: another one, and another connection. */
	function reconnectWithNewToken() {
		who.renew(sentToken).catch(() => {});
		connection.lose();
	}

	async function connect() {
		sentToken = await who.token();
		return { code: "connect", data: { ip: "127.0.0.1", user, ...(sentToken && { token: sentToken }) } };
	}

	/** Asks until there is an answer, or until `signal` says that it does not matter any more; shows a refusal. */
	async function requestUntilAnswered(task, signal) {
		try {
			return await untilAnswered(() => withToken(who, task), signal);
		} catch (error) {
			if (!signal.aborted) showProblem(error.message);
			return undefined;
		}
	}

	async function readBalance(signal) {
		const news = ++balanceVersion;
		const answer = await requestUntilAnswered(
			token => request("GET", `/api/wallet/${encodeURIComponent(user)}`, { token }),
			signal
		);
		if (answer && news === balanceVersion) wallet.showBalance(answer.balances.total);
	}

	const connection = openConnection({
		url,
		hello: async () => [await connect(), watch],
		probe: watch,
		onFrame: ({ code, data }) => frames[code]?.(data),
		onLost: code => {
			isConnected = false;
			connected.abort();
			purchases.lost();
			showConnection("waiting", "reconnecting");
			if (code === TOKEN_ENDED && sentToken !== undefined) who.renew(sentToken).catch(() => {});
		}
	});

	// The page is of use over HTTP alone too, while the socket is still on its way.
	void readBalance(closing.signal);
	picks.resume();

	return {
		/** Answers why it cannot be taken on; empty if it can. */
		pick: name => (picks.add({ name }) ? "" : FULL),
		buy: amount => (bought.add({ amount }) ? "" : FULL),
		/** There is a new token: shown in time, it keeps the connection. */
		tokenRenewed: () => isConnected && void connect().then(connection.send, () => {}),
		/** For good. What was not sent yet is kept until this person comes again; answers how much that is. */
		close: () => {
			closing.abort();
			connected.abort();
			connection.close();
			picks.stop();
			bought.stop();
			return picks.waiting().length + bought.waiting().length;
		}
	};
}
