// The session of one user (account or guest) on this page: picks and purchases are sent through two outboxes, frames from the socket update the
// tally and the wallet.
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
 * @param {object} options.view renders the session
 */
export function openSession({ who, view: { tally, wallet, announce, showProblem, showConnection, showWaiting } }) {
	const user = who.id;

	// Outgoing

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
		// One at a time, so that purchases are made in the order in which the user asked for them.
		concurrency: 1,
		send: ({ id, amount }) => withToken(who, () => purchases.send({ id, user_id: user, amount })),
		onSettled: (purchase, refusal) => {
			wallet.settle(purchase, refusal);
			announce(purchase.id, `${formatAmount(purchase.amount)} ${refusal ? `refused: ${refusal.message}` : "bought"}`);
			if (refusal?.fieldErrors.some(({ field }) => field === "amount")) wallet.showFieldError(refusal.message);
		},
		onChange: () => wallet.showPurchases(bought.waiting(), bought.isFailing() ? "waiting" : "sending")
	});

	// Incoming

	/** Whether this connection's `connect` has been answered. */
	let isConnected = false;
	/** The token that `connect` was sent with. */
	let sentToken;
	let connected = new AbortController();
	const closing = new AbortController();
	/** Raised by each balance frame and each request: an answer that is older than a later frame is not shown. */
	let balanceVersion = 0;

	const frames = {
		connected: () => {
			picks.resume();
			bought.resume();
			// It only answers a renewed token.
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
			// Frames with a code are answered in order: before `connected` the connect failed, after it the watch.
			if (!isConnected && final) refused(error);
			else if (!isConnected) connection.lose();
			else if (!final) setTimeout(() => connection.send(watch), spreadMs(WATCH_RETRY_MS));
		}
	};

	/** The server refused this user. The page still shows the counts of all users, and each action gets its own refusal. */
	function refused({ message }) {
		isConnected = true;
		showConnection("refused", "refused");
		showProblem(`${who.name} may not connect: ${message}`);
		bought.resume();
	}

	/** The token was refused: get another one and reconnect. */
	function reconnectWithNewToken() {
		who.renew(sentToken).catch(() => {});
		connection.lose();
	}

	async function connect() {
		sentToken = await who.token();
		return { code: "connect", data: { ip: "127.0.0.1", user, ...(sentToken && { token: sentToken }) } };
	}

	/** Retries until there is an answer or `signal` is aborted; shows a refusal. */
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

	// The page works over HTTP alone while the socket is not connected yet.
	void readBalance(closing.signal);
	picks.resume();

	return {
		/** Returns why the pick cannot be accepted; empty if it is. */
		pick: name => (picks.add({ name }) ? "" : FULL),
		buy: amount => (bought.add({ amount }) ? "" : FULL),
		/** Sends the new token: the server keeps the connection if it arrives before the old token ends. */
		tokenRenewed: () => isConnected && void connect().then(connection.send, () => {}),
		/** Closes the session. Unsent items stay in storage until this user signs in again; returns their number. */
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
