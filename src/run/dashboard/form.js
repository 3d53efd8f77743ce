// Sends a task to the service, then asks for its result until there is one.
(() => {
  const base = document.currentScript.dataset.endpoint.replace(/\/+$/, '');
  const field = (id) => document.getElementById('f-' + id);
  const sent = document.getElementById('sent');
  const files = [];
  const asDataUri = (file) => new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result).replace(/^data:;/, 'data:application/octet-stream;'));
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
  const add = async (list) => {
    for (const file of list) {
      files.push({ name: file.name, url: await asDataUri(file) });
      const item = document.createElement('li');
      item.textContent = file.name + ', ' + file.size + ' bytes';
      field('list').append(item);
    }
  };
  field('files').addEventListener('change', (event) => add(event.target.files));
  field('drop').addEventListener('dragover', (event) => event.preventDefault());
  field('drop').addEventListener('drop', (event) => { event.preventDefault(); add(event.dataTransfer.files); });
  const line = (tag, text, link) => {
    const element = document.createElement(tag);
    if (link && /^(https?|file):/.test(link)) {
      const a = document.createElement('a');
      a.href = link;
      a.textContent = text;
      element.append(a);
    } else {
      element.textContent = text;
    }
    sent.append(element);
    return element;
  };
  const task = () => {
    if (field('json').value.trim() !== '') return JSON.parse(field('json').value);
    const value = (id) => field(id).value;
    const made = { email: value('email'), task: value('task'), round: Number(value('round')), nonce: value('nonce'), brief: value('brief') };
    if (value('secret')) made.secret = value('secret');
    if (value('evaluation')) made.evaluation_url = value('evaluation');
    made.checks = value('checks').split('\n').map((check) => check.trim()).filter(Boolean);
    made.attachments = files;
    return made;
  };
  const follow = async (made) => {
    const query = new URLSearchParams({ email: made.email, task: made.task, round: String(made.round || 1), nonce: made.nonce || '' });
    for (;;) {
      const answer = await fetch(base + '/result?' + query);
      const result = await answer.json();
      sent.textContent = '';
      line('h3', made.task + ': ' + result.status);
      if (result.pages_url) line('p', result.pages_url, result.pages_url);
      const judged = (result.checks || []).filter((check) => check.status === 'passed' || check.status === 'failed');
      if (judged.length > 0) line('p', judged.filter((check) => check.status === 'passed').length + ' of ' + judged.length + ' checks passed');
      for (const check of result.checks || []) line('p', check.status + ': ' + check.check + (check.detail ? ' (' + check.detail + ')' : ''));
      if (result.error) line('p', result.error.code + ': ' + result.error.message).className = result.status === 'failed' ? 'failed' : 'soft';
      if (result.status !== 'pending' && result.status !== 'accepted') return;
      await new Promise((done) => setTimeout(done, 2000));
    }
  };
  document.getElementById('new').addEventListener('submit', async (event) => {
    event.preventDefault();
    sent.textContent = '';
    line('p', 'Sending …');
    try {
      const made = task();
      const answer = await fetch(base + '/api-endpoint', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(made) });
      const text = await answer.text();
      if (!answer.ok) {
        sent.textContent = '';
        line('p', 'Refused (' + answer.status + ')').className = 'failed';
        line('pre', text);
        return;
      }
      await follow(made);
    } catch (error) {
      sent.textContent = '';
      line('p', String(error)).className = 'failed';
    }
  });
  // A pasted task needs no other field.
  field('json').addEventListener('input', () => {
    for (const id of ['email', 'task', 'brief']) field(id).required = field('json').value.trim() === '';
  });
})();
