// The sign-in button and its two dialogs.
import { registerDialog, signInDialog } from "./dialogs.js";
import { openFormDialog } from "./form-dialog.js";

/**
 * @param {object} options
 * @param {HTMLButtonElement} options.button
 * @param {ReturnType<typeof import("./account.js").createAccount>} options.account
 * @param {(text: string) => void} options.showNotice
 */
export function createAccountButton({ button, account, showNotice }) {
	let isSigningOut = false;
	let close = () => {};

	function openSignIn(filled) {
		close = openFormDialog({
			dialog: signInDialog(),
			filled,
			submit: account.signIn,
			onOther: ({ email }) => openRegister({ email })
		});
	}
	function openRegister(filled) {
		close = openFormDialog({
			dialog: registerDialog(),
			filled,
			submit: account.register,
			onOther: ({ email }) => openSignIn({ email })
		});
	}

	async function signOut() {
		if (isSigningOut) return;
		isSigningOut = true;
		try {
			await account.signOut();
		} catch {
			showNotice("Signing out did not work, you are still signed in. Try again in a moment.");
		} finally {
			isSigningOut = false;
		}
	}

	button.addEventListener("click", () => (account.person() ? void signOut() : openSignIn({})));

	return {
		openSignIn: () => openSignIn({}),
		/** One button for both actions, so that the focus is not lost when the label changes. */
		show: person => {
			button.textContent = person ? "Sign out" : "Sign in";
			close();
		}
	};
}
