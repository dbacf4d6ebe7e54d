// Amounts as typed by a user.

const LARGEST = 1_000_000;

/**
 * Reads an amount: greater than 0, at most 2 decimals, at most 1000000.00. A comma may stand for the point, as it does on many
 * phones' keyboards; it never groups thousands, so `1,000` is refused rather than taken for 1.
 * @param {string} text
 * @returns {{ amount: number } | { problem: string }}
 */
export function parseAmount(text) {
	const plain = text.trim().replace(",", ".");
	if (plain === "") return { problem: "Enter an amount." };
	const match = /^[+-]?(?:\d+(?:\.(\d*))?|\.(\d+))$/.exec(plain);
	if (!match) return { problem: "Enter a number, like 49.99." };
	if ((match[1] ?? match[2] ?? "").length > 2) return { problem: "Use at most 2 decimals." };
	const amount = Number(plain);
	if (amount <= 0) return { problem: "Enter more than 0." };
	if (amount > LARGEST) return { problem: `Enter at most ${formatAmount(LARGEST)}.` };
	return { amount };
}

export const formatAmount = amount => amount.toFixed(2);
