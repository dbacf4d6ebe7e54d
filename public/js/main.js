// The first page: picks and purchases of the signed-in user or a guest.
import { createAnnouncer } from "./announcer.js";
import { request } from "./http.js";
import { announce, element, openPage, showConnection } from "./page.js";
import { untilAnswered } from "./retry.js";
import { openSession } from "./session.js";
import { createTally } from "./tally.js";
import { createWallet } from "./wallet.js";

const announceCount = createAnnouncer(element("count-announcements"), 10_000);
let session;

const tally = createTally({
	table: element("tally"),
	total: element("total"),
	template: element("selection"),
	onPick: name => showProblem(session.pick(name)),
	onChange: (name, count) => announceCount(name, `${name} ${count}`)
});
const wallet = createWallet({
	balance: element("balance"),
	form: element("purchase"),
	list: element("purchases"),
	onBuy: amount => session.buy(amount)
});

function showProblem(text) {
	element("problem").textContent = text;
	if (text) announce("problem", text);
}

function showWaiting(picks) {
	element("waiting").textContent = picks > 0 ? `picks waiting to be sent: ${picks}` : "";
}

openPage({
	guestName: new URLSearchParams(location.search).get("user") || "test-user",
	enter: who => {
		showProblem("");
		showWaiting(0);
		wallet.clear();
		session = openSession({ who, view: { tally, wallet, announce, showProblem, showConnection, showWaiting } });
		return session;
	}
});

// Counts are public: show them before the socket is connected.
untilAnswered(() => request("GET", "/selections")).then(
	selections => tally.list(selections),
	error => showProblem(error.message)
);
