// Common to all pages: the header, the sign-in button, and one session for the current user.
import { createAccount } from "./account.js";
import { createAccountButton } from "./account-button.js";
import { createAnnouncer } from "./announcer.js";
import { guest, member } from "./identity.js";

export const element = id => document.getElementById(id);

/** Announces a text to screen readers, at most once a second. */
export const announce = createAnnouncer(element("announcements"), 1_000);

/** @param {"connecting" | "live" | "waiting" | "refused" | "off"} state */
export function showConnection(state, text) {
	const pill = element("connection");
	if (pill.dataset.state === state && pill.textContent === text) return;
	pill.dataset.state = state;
	pill.textContent = text;
	announce("connection", text);
}

function showNotice(text) {
	element("notice").textContent = text;
	if (text) announce("account", text);
}

const ended = unsent =>
	`Your session has ended: you are signed out.${unsent > 0 ? ` What was not sent yet (${unsent}) is kept until you sign in again.` : ""}`;

/**
 * @typedef {object} Visit
 * @property {() => number} close ends the session; returns the number of unsent items
 * @property {() => void} [tokenRenewed]
 *
 * @param {object} options
 * @param {string} options.guestName
 * @param {(who: import("./identity.js").Who) => Visit} options.enter starts the session of this user; the previous session is closed
 * @returns {{ askToSignIn: () => void }}
 */
export function openPage({ guestName, enter }) {
	const account = createAccount({
		onChange: (person, isOver) => {
			const unsent = session.close();
			showNotice(isOver ? ended(unsent) : "");
			if (!isOver) announce("account", person ? `signed in as ${person.name}` : `signed out, you are ${guestName}`);
			session = enterAs(person);
		},
		onToken: () => session.tokenRenewed?.()
	});
	const accountButton = createAccountButton({ button: element("account"), account, showNotice });

	function enterAs(person) {
		element("user").textContent = person?.name ?? guestName;
		for (const link of document.querySelectorAll("nav .for-admins")) link.hidden = person?.role !== "admin";
		accountButton.show(person);
		showConnection("connecting", "connecting");
		return enter(person ? member(person, account) : guest(guestName));
	}

	let session = enterAs(account.person());
	return { askToSignIn: accountButton.openSignIn };
}
