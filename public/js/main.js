// The page: what the person does goes out through two outboxes, what comes in over the socket moves the tally and the wallet.
import { formatAmount } from "./amount.js";
import { createAnnouncer } from "./announcer.js";
import { openConnection } from "./connection.js";
import { request } from "./http.js";
import { createOutbox } from "./outbox.js";
import { createPurchases } from "./purchases.js";
import { FINAL, spreadMs, untilAnswered } from "./retry.js";
import { openStore } from "./store.js";
import { createTally } from "./tally.js";
import { createWallet } from "./wallet.js";

const KEPT_AT_MOST = 1_000;
const WATCH_AGAIN_MS = 5_000;
const FULL = "Too much is waiting to be sent. Try again when the connection is back.";

const element = id => document.getElementById(id);
const user = new URLSearchParams(location.search).get("user") || "test-user";
element("user").textContent = user;

const announce = createAnnouncer(element("announcements"), 1_000);
const announceCount = createAnnouncer(element("count-announcements"), 10_000);

const tally = createTally({
	table: element("tally"),
	total: element("total"),
	template: element("selection"),
	onPick: name => showProblem(picks.add({ name }) ? "" : FULL),
	onChange: (name, count) => announceCount(name, `${name} ${count}`)
});
const wallet = createWallet({
	balance: element("balance"),
	form: element("purchase"),
	list: element("purchases"),
	onBuy: amount => (bought.add({ amount }) ? "" : FULL)
});

function showProblem(text) {
	element("problem").textContent = text;
	if (text) announce("problem", text);
}

function showConnection(state, text) {
	element("connection").dataset.state = state;
	element("connection").textContent = text;
	announce("connection", text);
}

// What goes out

const keptIn = kind => openStore(`plaza/${encodeURIComponent(user)}/${kind}/`);

const picks = createOutbox({
	store: keptIn("picks"),
	limit: KEPT_AT_MOST,
	concurrency: 6,
	send: ({ id, name }) => request("POST", "/api/selections/async", { name, id, user_id: user }),
	onSettled: ({ name }, refusal) => refusal && showProblem(`The pick of ${name} was refused: ${refusal.message}`),
	onChange: () => {
		const { length } = picks.waiting();
		element("waiting").textContent = picks.troubled() && length > 0 ? `picks waiting to be sent: ${length}` : "";
	}
});

const purchases = createPurchases(frame => greeted && connection.send(frame));
const bought = createOutbox({
	store: keptIn("purchases"),
	limit: KEPT_AT_MOST,
	// One by one, so that they are bought in the order in which they were asked for.
	concurrency: 1,
	send: ({ id, amount }) => purchases.send({ id, user_id: user, amount }),
	onSettled: (purchase, refusal) => {
		wallet.settle(purchase, refusal);
		announce(purchase.id, `${formatAmount(purchase.amount)} ${refusal ? `refused: ${refusal.message}` : "bought"}`);
		if (refusal?.faults.some(({ field }) => field === "amount")) wallet.showFault(refusal.message);
	},
	onChange: () => wallet.showPurchases(bought.waiting(), bought.troubled() ? "waiting" : "sending")
});

// What comes in

/** Whether this connection's `connect` has been answered. */
let greeted = false;
let connected = new AbortController();
/** Counts the news of the balance, asked for or not: an answer that is not the newest news any more is not shown. */
let balanceNews = 0;

const frames = {
	connected: () => {
		greeted = true;
		connected = new AbortController();
		showConnection("live", "live");
		void ask(() => request("POST", "/api/selections/synchronization", { user_id: user }), connected.signal);
		void readBalance(connected.signal);
		picks.resume();
		bought.resume();
	},
	SynchronizationResults: ({ selections }) => tally.list(selections),
	Selections: selections => tally.list(selections),
	SelectionSummary: selection => {
		tally.update(selection);
		announce(selection.name, `${selection.name} ${selection.count}`);
	},
	balance: ({ balances }) => {
		balanceNews++;
		wallet.showBalance(balances.total);
		announce("balance", `total spent ${formatAmount(balances.total)}`);
	},
	purchase: purchase => purchases.answered(purchase),
	error: error => {
		purchases.failed(error);
		if (error.id !== undefined) return;
		const final = FINAL.has(error.type);
		// Frames that have a code are answered in order: before `connected` it is the connect that failed, after it the watch.
		if (!greeted && final) refused(error);
		else if (!greeted) connection.lose();
		else if (!final) setTimeout(() => connection.send(watch), spreadMs(WATCH_AGAIN_MS));
	}
};

/** The server will not have this user. The page still shows everybody's counts, and each thing that is tried gets its own refusal. */
function refused({ message }) {
	greeted = true;
	showConnection("refused", "refused");
	showProblem(`${user} may not connect: ${message}`);
	bought.resume();
}

/** Asks until there is an answer, or until `signal` says that it does not matter any more; shows a refusal. */
async function ask(task, signal) {
	try {
		return await untilAnswered(task, signal);
	} catch (error) {
		if (!signal?.aborted) showProblem(error.message);
		return undefined;
	}
}

async function readBalance(signal) {
	const news = ++balanceNews;
	const answer = await ask(() => request("GET", `/api/wallet/${encodeURIComponent(user)}`), signal);
	if (answer && news === balanceNews) wallet.showBalance(answer.balances.total);
}

const url = new URL("/ws", location.href);
url.protocol = url.protocol.replace("http", "ws");
const watch = { code: "watch", data: { selections: true } };
const connection = openConnection({
	url,
	hello: [{ code: "connect", data: { ip: "127.0.0.1", user } }, watch],
	probe: watch,
	onFrame: ({ code, data }) => frames[code]?.(data),
	onLost: () => {
		greeted = false;
		connected.abort();
		purchases.lost();
		showConnection("waiting", "reconnecting");
	}
});

// The page is of use over HTTP alone too, while the socket is still on its way.
void ask(() => request("GET", "/selections")).then(selections => selections && tally.list(selections));
void readBalance();
picks.resume();
