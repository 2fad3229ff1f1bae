// What the console's pages cannot do without a script: passkeys, and progress that leaves the focus.
// Passkeys: ask the server for options, the authenticator for an answer, and send it back.
// Binary values travel as base64url (Web Authentication, Level 3, section 5.1).
"use strict";

const toBytes = (text) => {
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
};

const toText = (buffer) => {
  const letters = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte));
  return btoa(letters.join("")).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
};

const post = async (url, token, body) => {
  const headers = { "Content-Type": "application/json", "X-CSRFToken": token };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  const isJson = (response.headers.get("Content-Type") || "").startsWith("application/json");
  const answer = isJson ? await response.json() : {};
  if (!response.ok) throw new Error(answer.error || "Something went wrong. Reload the page and try again.");
  return answer;
};

const descriptors = (found) => (found || []).map((each) => ({ ...each, id: toBytes(each.id) }));

const answered = (credential) => {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = toText(credential.response[name]);
  }
  return { id: credential.id, rawId: toText(credential.rawId), type: credential.type, response };
};

const signIn = async (button) => {
  const { publicKey } = await post(button.dataset.options, button.dataset.token, {});
  publicKey.challenge = toBytes(publicKey.challenge);
  const credential = await navigator.credentials.get({ publicKey });
  return post(button.dataset.signIn, button.dataset.token, { credential: answered(credential) });
};

const create = async (button) => {
  const invitation = { token: location.hash.slice(1), name: document.getElementById("name").value };
  const { publicKey } = await post(button.dataset.options, button.dataset.token, invitation);
  publicKey.challenge = toBytes(publicKey.challenge);
  publicKey.user.id = toBytes(publicKey.user.id);
  publicKey.excludeCredentials = descriptors(publicKey.excludeCredentials);
  const credential = await navigator.credentials.create({ publicKey });
  return post(button.dataset.create, button.dataset.token, { ...invitation, credential: answered(credential) });
};

const explained = (error) => {
  if (error.name === "NotAllowedError") return "The passkey was not used. Try again.";
  if (error.name === "InvalidStateError") return "This device has a passkey for you already.";
  return error.message;
};

const press = async (button, run) => {
  const problem = document.querySelector("[data-problem]");
  problem.hidden = true;
  button.disabled = true;
  try {
    location.assign((await run(button)).location);
  } catch (error) {
    problem.textContent = explained(error);
    problem.hidden = false;
    button.disabled = false;
  }
};

for (const [selector, run] of [["[data-sign-in]", signIn], ["[data-create]", create]]) {
  for (const button of document.querySelectorAll(selector)) {
    button.addEventListener("click", () => press(button, run));
  }
}

for (const field of document.querySelectorAll("[data-invitation]")) {
  field.value = location.hash.slice(1);
}

// Work in progress: ask for the page again until the work is done. Until then, only what says how
// far it is changes, so that the focus stays where it is.
const RENEW_AFTER = 2000; // milliseconds

const progress = (page) => [...page.querySelectorAll("[data-progress]")];

const renew = async () => {
  const response = await fetch(location.href);
  if (response.redirected || !response.ok) return location.reload();
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const [shown, found] = [progress(document), progress(page)];
  if (shown.length !== found.length) {
    document.querySelector("main").replaceWith(page.querySelector("main"));
    document.querySelector("main").focus();
    return;
  }
  found.forEach((each, place) => {
    if (shown[place].innerHTML !== each.innerHTML) shown[place].innerHTML = each.innerHTML;
  });
};

const follow = async () => {
  try {
    if (!document.hidden) await renew();
  } catch {
    // The network is away. It is asked again.
  }
  if (progress(document).length) setTimeout(follow, RENEW_AFTER);
};

if (progress(document).length) setTimeout(follow, RENEW_AFTER);
