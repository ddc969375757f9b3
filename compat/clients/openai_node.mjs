// openai-node: the loop of the background guide, https://developers.openai.com/api/docs/guides/background.
import OpenAI from "openai";

const client = new OpenAI();

async function job(prompt) {
  let response = await client.responses.create({ model: "gpt-5.2", input: prompt, background: true });
  while (response.status === "queued" || response.status === "in_progress") {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    response = await client.responses.retrieve(response.id);
  }
  return [String(response.status), response.output_text];
}

async function tell(prompt) {
  const [status, text] = await job(prompt).catch((error) => [`raised ${error.constructor.name}`, error.message]);
  console.log(JSON.stringify({ prompt, status, text }));
}

const prompts = Array.from({ length: Number(process.argv[2]) }, (_, n) => `Write report ${n + 1} about otters in space.`);
await Promise.all(prompts.map(tell));
