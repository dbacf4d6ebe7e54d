// Creates files for the tests of this folder: proto files, and a certificate if openssl is installed.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const directory = mkdtempSync(join(tmpdir(), "plaza-grpc-"));
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));

let files = 0;

/** Writes the text to a new file and returns its path. */
export function file(text: string, extension: string): string {
	const path = join(directory, `${++files}.${extension}`);
	writeFileSync(path, text);
	return path;
}

/** PEM files of a self-signed certificate for localhost; undefined without openssl. */
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
