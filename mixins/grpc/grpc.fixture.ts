// Files that the tests of this folder make for themselves: proto files, and a certificate where openssl is there.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const directory = mkdtempSync(join(tmpdir(), "plaza-grpc-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));

let files = 0;

/** The path of a fresh file with this text. */
export function file(text: string, extension: string): string {
	const path = join(directory, `${++files}.${extension}`);
	writeFileSync(path, text);
	return path;
}

/** PEM files of a certificate for localhost that signs itself; undefined where there is no openssl. */
export function selfSigned(): { cert: string; key: string } | undefined {
	const [cert, key] = [join(directory, "cert.pem"), join(directory, "key.pem")];
	const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
	try {
		execFileSync(
			"openssl",
			["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, "-keyout", key, "-out", cert],
			{ stdio: "ignore" }
		);
		return { cert, key };
	} catch {
		return undefined;
	}
}
