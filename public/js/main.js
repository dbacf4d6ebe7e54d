// The page: a visit of whoever is signed in, or of a guest, and the door between the two.
import { createAccount } from "./account.js";
import { createAnnouncer } from "./announcer.js";
import { createDoor } from "./door.js";
import { request } from "./http.js";
import { untilAnswered } from "./retry.js";
import { createTally } from "./tally.js";
import { openVisit } from "./visit.js";
import { createWallet } from "./wallet.js";

const element = id => document.getElementById(id);
const guest = new URLSearchParams(location.search).get("user") || "test-user";

const announce = createAnnouncer(element("announcements"), 1_000);
const announceCount = createAnnouncer(element("count-announcements"), 10_000);

const tally = createTally({
	table: element("tally"),
	total: element("total"),
	template: element("selection"),
	onPick: name => showProblem(visit.pick(name)),
	onChange: (name, count) => announceCount(name, `${name} ${count}`)
});
const wallet = createWallet({
	balance: element("balance"),
	form: element("purchase"),
	list: element("purchases"),
	onBuy: amount => visit.buy(amount)
});

function showProblem(text) {
	element("problem").textContent = text;
	if (text) announce("problem", text);
}

function showNotice(text) {
	element("notice").textContent = text;
	if (text) announce("account", text);
}

function showConnection(state, text) {
	element("connection").dataset.state = state;
	element("connection").textContent = text;
	announce("connection", text);
}

function showWaiting(picks) {
	element("waiting").textContent = picks > 0 ? `picks waiting to be sent: ${picks}` : "";
}

// Who it is

const account = createAccount({
	onChange: (person, isOver) => {
		const unsent = visit.close();
		showNotice(isOver ? ended(unsent) : "");
		if (!isOver) announce("account", person ? `signed in as ${person.name}` : `signed out, you are ${guest}`);
		showProblem("");
		showWaiting(0);
		wallet.clear();
		showConnection("connecting", "connecting");
		visit = enter(person);
	},
	onToken: () => visit.tokenRenewed()
});
const door = createDoor({
	button: element("account"),
	signIn: element("sign-in"),
	register: element("register"),
	account,
	showNotice
});

const ended = unsent =>
	`Your session has ended: you are signed out.${unsent > 0 ? ` What was not sent yet (${unsent}) is kept until you sign in again.` : ""}`;

function enter(person) {
	element("user").textContent = person?.name ?? guest;
	door.show(person);
	const who = person
		? { ...person, token: () => account.tokenOf(person.id), renew: account.renew }
		: { id: guest, name: guest, token: async () => undefined, renew: async () => {} };
	return openVisit({ who, view: { tally, wallet, announce, showProblem, showConnection, showWaiting } });
}

let visit = enter(account.person());

// Everybody's counts are nobody's secret, and need no socket.
untilAnswered(() => request("GET", "/selections")).then(
	selections => tally.list(selections),
	error => showProblem(error.message)
);
