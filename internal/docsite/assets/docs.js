// Comforts only: the pages do without.
const said = document.getElementById('said');

for (const pre of document.querySelectorAll('.code pre')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copy';
  button.textContent = 'Copy';
  button.addEventListener('click', async () => {
    let text = 'Copied';
    try {
      await navigator.clipboard.writeText(pre.textContent);
    } catch {
      getSelection().selectAllChildren(pre);
      text = 'Selected';
    }
    said.textContent = button.textContent = text;
    setTimeout(() => { button.textContent = 'Copy'; said.textContent = ''; }, 2000);
  });
  pre.after(button);
}

// A language that was chosen once is chosen everywhere.
const choose = (language) => {
  for (const input of document.querySelectorAll('.tabs input')) if (input.value === language) input.checked = true;
};
try {
  choose(localStorage.getItem('language'));
} catch { /* storage is switched off */ }
addEventListener('change', (event) => {
  if (!event.target.matches('.tabs input')) return;
  choose(event.target.value);
  try {
    localStorage.setItem('language', event.target.value);
  } catch { /* storage is switched off */ }
});
