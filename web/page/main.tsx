import { render } from 'preact';

render(<p>beltnet</p>, document.getElementById('app')!);
